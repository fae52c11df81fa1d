# What the hotplug scripts share: a push that waits for nothing. Wants /lib/functions.sh.
# shellcheck shell=sh
# shellcheck disable=SC3043 # ash has local

# Whether this push is wanted; leaves its receiver in LANPUSH_TO.
lanpush_wanted() { # OPTION
	local wanted
	config_load lanpush
	config_get LANPUSH_TO notify to
	config_get_bool wanted notify "$1" 0
	[ -n "$LANPUSH_TO" ] && [ "$wanted" -eq 1 ]
}

# Sends in the background and comes back at once: whoever calls hotplug scripts waits for them. A server that is
# not there, or not yet, is tried six times within a minute; then the log has what was to be said.
lanpush_push() { # TITLE MESSAGE FLAG…
	local title="$1" message="$2" data
	shift 2
	config_get data server data /etc/lanpush/data
	(
		tries=6
		while ! lanpush send --data "$data" "$LANPUSH_TO" "$message" --title "$title" "$@"; do
			tries=$((tries - 1))
			if [ "$tries" -eq 0 ]; then
				logger -t lanpush -p daemon.warn "not sent: $title: $message"
				break
			fi
			sleep 10
		done
	) </dev/null >/dev/null 2>&1 &
}
