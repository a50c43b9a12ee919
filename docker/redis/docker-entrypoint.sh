#!/usr/bin/env bash
# Entry point of restore-drill/redis:7, with the interface of the official `redis` image.
#
# Started as root it hands /data to `redis` and gives up root; started as `redis` with no capabilities,
# which is how a drill runs it, it needs nothing.
set -euo pipefail

readonly DEFAULTS=/usr/local/etc/redis/defaults.conf

# `docker run IMAGE --save ""` and `docker run IMAGE /my/redis.conf` mean redis-server.
if [[ $# -eq 0 || ${1:0:1} == - || $1 == *.conf ]]; then
	set -- redis-server "$@"
fi

if [[ $1 == redis-server ]]; then
	if ((EUID == 0)); then
		find . \! -user redis -exec chown redis '{}' +
		exec setpriv --reuid=redis --regid=redis --init-groups -- "${BASH_SOURCE[0]}" "$@"
	fi
	# A configuration file of the caller's says all there is to say; options alone add to the defaults.
	# `redis-server -` reads its configuration from stdin; --version and --help only answer.
	case ${2-} in
	'' | --version | --help | -v | -h | -) defaults=() ;;
	--*) defaults=("$DEFAULTS") ;;
	*) defaults=() ;;
	esac
	[[ $# -gt 1 ]] || defaults=("$DEFAULTS")
	set -- redis-server "${defaults[@]}" "${@:2}"
	umask 0077
fi

exec "$@"
