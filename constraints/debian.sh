#!/bin/sh
# Install the Debian packages named in the given lists (one a line, # starts a comment) where any is missing.
# No question is asked and no daemon is started, now or at the next boot: the sandbox starts its own, in namespaces of its
# own. What was installed is written down, and `debian.sh --remove` takes it away again. `debian.sh --boot LISTS` says which
# services of these packages start at boot, and how to stop that: they may be somebody's own, so it changes nothing.
set -eu

record=${PROFILE_DEBIAN_RECORD:-/var/lib/profile-studio/debian-packages}
lock=${PROFILE_DEBIAN_LOCK:-/run/lock/profile-studio-debian.lock}
forbid=${PROFILE_DEBIAN_POLICY:-/usr/sbin/policy-rc.d}

if [ "${1:-}" = --remove ]; then
    [ -s "$record" ] || exit 0
    if [ "$(id -u)" != 0 ]; then
        echo "debian: these packages were installed for Profile Studio and stay; to remove them, as root:" >&2
        echo "    apt-get purge $(tr '\n' ' ' < "$record")" >&2
        exit 0
    fi
    echo "debian: removing $(tr '\n' ' ' < "$record")" >&2
    # Packages that something else has come to need since would take that along: they stay.
    for package in $(cat "$record"); do
        if DEBIAN_FRONTEND=noninteractive apt-get -s -q purge "$package" 2>/dev/null \
            | sed -n 's/^Purg \([^ ]*\).*/\1/p' | grep -vxF -f "$record" > /dev/null; then
            echo "debian: $package stays, for other packages need it" >&2
        else
            DEBIAN_FRONTEND=noninteractive apt-get purge -y -q -o DPkg::Lock::Timeout=600 "$package" > /dev/null
        fi
    done
    rm -f "$record" "$lock"
    rmdir "$(dirname "$record")" 2> /dev/null || true
    exit 0
fi

services_of() {
    dpkg-query -L "$1" 2>/dev/null | sed -n 's#^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$#\2#p'
}

if [ "${1:-}" = --boot ]; then
    shift
    command -v systemctl > /dev/null || exit 0
    enabled=''
    # A metapackage's services are in the packages that it stands for: those of its own name, with anything behind.
    # Essential packages were there before.
    for package in $(sed 's/#.*//' "$@" | tr -s ' \t\n' '\n' | sort -u); do
        for part in $(dpkg-query -W -f='${db:Status-Status} ${Essential} ${Package}\n' "$package" "$package-*" 2>/dev/null | sed -n 's/^installed no //p' | sort -u); do
            for unit in $(services_of "$part"); do
                if [ "$(systemctl is-enabled "$unit" 2> /dev/null)" = enabled ]; then enabled="$enabled $unit"; fi
            done
        done
    done
    [ -n "$enabled" ] || exit 0
    enabled=$(echo "$enabled" | tr ' ' '\n' | sort -u | tr '\n' ' ')
    echo "These services start at boot. Earlier versions of Profile Studio left them so; if nobody here needs them:" >&2
    echo "    systemctl disable --now $(echo "$enabled" | sed 's/^ *//; s/ *$//')" >&2
    exit 0
fi

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
exec 9> "$lock"
flock 9

log=$(mktemp)
policy=''
before=''
trap 'rm -f "$log" $before $policy' EXIT
# Without these, a shell that a signal ends leaves the policy behind, and no service could be installed ever after.
trap 'exit 130' INT
trap 'exit 143' HUP TERM
# Debian starts a daemon as soon as it is installed, unless this file says no (exit code 101).
if [ ! -e "$forbid" ]; then
    policy=$forbid
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi

installed() {
    dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u
}

# The services of packages that were not there before, which Debian has enabled: a machine's own stay as they are.
disable_services() {
    for package in $added; do
        for unit in $(services_of "$package"); do
            if command -v systemctl > /dev/null; then
                systemctl --quiet disable "$unit" > /dev/null 2>&1 || true
            fi
        done
        # Without systemd, what starts at boot are links to these scripts.
        for script in $(dpkg-query -L "$package" 2>/dev/null | sed -n 's#^/etc/init\.d/\([^/]*\)$#\1#p'); do
            if command -v update-rc.d > /dev/null; then
                update-rc.d "$script" disable > /dev/null 2>&1 || true
            fi
        done
    done
}

before=$(mktemp)
installed > "$before"
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
added=$(installed | comm -13 "$before" -)
disable_services
mkdir -p "$(dirname "$record")"
touch "$record"
echo "$added" | sort -u "$record" - | sed '/^$/d' > "$record.new"
mv "$record.new" "$record"
echo "debian: done; nothing of it starts at boot" >&2
