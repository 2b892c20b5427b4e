// Command pause holds a pod's namespaces open: it has to be static, since pause containers see none of the machine's libraries.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
