#!/bin/sh
# Install the Debian packages named in the given lists (one a line, # starts a comment) where any is missing.
# No question is asked and no daemon is started: the sandbox starts its own, in namespaces of its own.
set -eu

wanted=$(sed 's/#.*//' "$@" | tr -s ' \t\n' '\n' | sort -u)
missing=''
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "debian: these packages are missing and need root to install. Please run:" >&2
    echo "    sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# One installation at a time, also among several clones on this machine.
exec 9> /run/lock/profile-studio-debian.lock
flock 9

log=$(mktemp)
policy=''
trap 'rm -f "$log" $policy' EXIT
# Debian starts a daemon as soon as it is installed, unless this file says no (exit code 101).
if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi

echo "debian: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086  # a list of names, meant to be split
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 $missing > "$log" 2>&1
}
# The package lists of a fresh machine are empty, those of an old one name versions that are gone.
if ! install && ! { apt-get update -q -o DPkg::Lock::Timeout=600 > "$log" 2>&1 && install; }; then
    tail -n 20 "$log" >&2
    echo "debian: the installation failed; see above, or install the packages by hand:$missing" >&2
    exit 1
fi
echo "debian: done" >&2
