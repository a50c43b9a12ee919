#!/usr/bin/env bash
# Entry point of restore-drill/postgres:NN.
#
# Honours the interface of the official `postgres` image (the POSTGRES_* variables and their _FILE
# forms, PGDATA, /docker-entrypoint-initdb.d), so that either image can stand in for the other.
#
# Two ways of starting are supported. As root, it hands the data directory to `postgres` and gives up
# root before it does anything else. As `postgres` with no capabilities at all, which is how a drill
# runs it, it needs nothing but a data directory that `postgres` may write.
set -Eeuo pipefail
shopt -s nullglob

readonly INIT_DIR=/docker-entrypoint-initdb.d

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
die() { printf '%s\n' "$@" >&2; exit 1; }

# from_file VAR [DEFAULT]: VAR keeps its value, or takes the content of the file that VAR_FILE names.
from_file() {
	local var=$1 default=${2-} file_var=${1}_FILE
	if [[ -n ${!var-} && -n ${!file_var-} ]]; then
		die "Error: $var and $file_var are both set; set only one of them."
	fi
	if [[ -n ${!file_var-} ]]; then
		[[ -r ${!file_var} ]] || die "Error: $file_var names ${!file_var}, which cannot be read."
		printf -v "$var" '%s' "$(<"${!file_var}")"
	elif [[ -z ${!var-} ]]; then
		printf -v "$var" '%s' "$default"
	fi
	export "${var?}"
	unset "$file_var"
}

# Questions that postgres answers and then exits need no data directory.
only_asks() {
	local arg
	for arg; do
		case $arg in
		-'?' | --help | --describe-config | -V | --version | -C) return 0 ;;
		esac
	done
	return 1
}

# Sourced init scripts may call this one: SQL from stdin or from the arguments of psql.
docker_process_sql() {
	local db=()
	[[ -z ${POSTGRES_DB-} ]] || db=(--dbname "$POSTGRES_DB")
	PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
		--username "$POSTGRES_USER" "${db[@]}" "$@"
}

require_password() {
	[[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]] || return 0
	die 'Error: Database is uninitialized and superuser password is not specified.' \
		'       Set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) to a non-empty value,' \
		'       for example with "-e POSTGRES_PASSWORD=..." on "docker run".' \
		'       POSTGRES_HOST_AUTH_METHOD=trust lets anyone in without a password: isolated networks only.'
}

create_cluster() {
	local args=(--username="$POSTGRES_USER")
	[[ -z ${POSTGRES_INITDB_WALDIR-} ]] || args+=(--waldir "$POSTGRES_INITDB_WALDIR")
	# The variable holds shell words, quotes included, as with the official image.
	eval "args+=(${POSTGRES_INITDB_ARGS-})"
	# The password goes through a pipe: never in an argument list, never on disk.
	initdb -D "$PGDATA" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${args[@]}"

	local method=$POSTGRES_HOST_AUTH_METHOD
	[[ -n $method ]] || method=$(postgres -D "$PGDATA" -C password_encryption)
	printf '\n# clients on the container network\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# A server that only this container's own socket reaches, for the time of the first set-up.
temporary_server() {
	case $1 in
	start)
		shift 2 # drop "start" and "postgres"
		local options
		printf -v options '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}"
		NOTIFY_SOCKET='' pg_ctl -D "$PGDATA" -o "$options" -w start
		;;
	stop) pg_ctl -D "$PGDATA" -m fast -w stop ;;
	esac
}

create_database() {
	local wanted=$POSTGRES_DB found
	local POSTGRES_DB=postgres
	found=$(docker_process_sql --tuples-only --no-align --set db="$wanted" \
		<<<"SELECT 1 FROM pg_database WHERE datname = :'db'")
	[[ -n $found ]] || docker_process_sql --set db="$wanted" <<<'CREATE DATABASE :"db"'
}

run_init_files() {
	local f
	for f in "$INIT_DIR"/*; do
		case $f in
		*.sh)
			if [[ -x $f ]]; then
				say "running $f"
				"$f"
			else
				say "sourcing $f"
				# shellcheck source=/dev/null
				. "$f"
			fi
			;;
		*.sql) say "running $f" && docker_process_sql -f "$f" ;;
		*.sql.gz) say "running $f" && gunzip -c "$f" | docker_process_sql ;;
		*) say "ignoring $f" ;;
		esac
	done
}

# As process 1 a shell ignores signals it has no trap for; without this, stopping a container that is
# still initialising would take until the engine loses patience and kills it.
interrupted() {
	trap - INT TERM
	say 'stopped while initialising' >&2
	[[ ! -s $PGDATA/postmaster.pid ]] || pg_ctl -D "$PGDATA" -m immediate -w stop >&2 || true
	exit 143
}

first_start() {
	trap interrupted INT TERM
	from_file POSTGRES_PASSWORD
	from_file POSTGRES_USER postgres
	from_file POSTGRES_DB "$POSTGRES_USER"
	from_file POSTGRES_INITDB_ARGS
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
	require_password

	# Unreadable init files should stop us now, not after the cluster has been made.
	ls "$INIT_DIR/" >/dev/null
	create_cluster
	export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
	temporary_server start "$@"
	create_database
	run_init_files
	temporary_server stop
	unset PGPASSWORD
	trap - INT TERM
	printf '\n%s\n\n' 'PostgreSQL init process complete; ready for start up.'
}

prepare_directories() {
	mkdir -p "$PGDATA"
	chmod 00700 "$PGDATA" || true # may belong to someone else; postgres itself will then say so
	mkdir -p /var/run/postgresql || true
	[[ -z ${POSTGRES_INITDB_WALDIR-} ]] || mkdir -p "$POSTGRES_INITDB_WALDIR"
	if ((EUID == 0)); then
		find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
		find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
		if [[ -n ${POSTGRES_INITDB_WALDIR-} ]]; then
			find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
		fi
	fi
}

main() {
	[[ ${1:0:1} != - ]] || set -- postgres "$@"
	if [[ $1 == postgres ]] && ! only_asks "$@"; then
		prepare_directories
		if ((EUID == 0)); then
			exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
		fi
		if [[ -s $PGDATA/PG_VERSION ]]; then
			say "$PGDATA holds a cluster already; not initialising it"
		else
			first_start "$@"
		fi
	fi
	exec "$@"
}

main "${@:-postgres}"
