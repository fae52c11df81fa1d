# From UCI to lanpush's own file. Each option that is there becomes a line; values are passed on as they are and
# judged by `lanpush check`, which names what is wrong. Wants /lib/functions.sh.
# shellcheck shell=sh
# shellcheck disable=SC3043 # ash has local

# Reads the settings.
lanpush_load() {
	config_load lanpush
}

# A text in TOML's quotes.
lanpush_quoted() { # TEXT
	printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

# A line of one option: text as text, numbers as numbers, yes and no as UCI writes them.
lanpush_option() { # SECTION KEY text|number|flag
	local value
	config_get value "$1" "$2"
	[ -n "$value" ] || return 0
	case $3 in
	text) value=$(lanpush_quoted "$value") ;;
	flag)
		case $value in
		1 | on | true | yes | enabled) value=true ;;
		0 | off | false | no | disabled) value=false ;;
		*) value=$(lanpush_quoted "$value") ;;
		esac
		;;
	number)
		# Whatever else it is becomes a text, of which the error speaks.
		case $value in
		0 | [1-9] | [1-9]*[0-9])
			case $value in
			*[!0-9]*) value=$(lanpush_quoted "$value") ;;
			esac
			;;
		*) value=$(lanpush_quoted "$value") ;;
		esac
		;;
	esac
	printf '%s = %s\n' "$2" "$value"
}

lanpush_item() { # TEXT
	LANPUSH_LIST="$LANPUSH_LIST${LANPUSH_LIST:+, }$(lanpush_quoted "$1")"
}

# A line of a list, if it has items.
lanpush_list() { # SECTION KEY
	LANPUSH_LIST=
	config_list_foreach "$1" "$2" lanpush_item
	[ -z "$LANPUSH_LIST" ] || printf '%s = [%s]\n' "$2" "$LANPUSH_LIST"
}

# The whole file. A test holds these keys against those of lanpush.toml.
lanpush_toml() {
	echo '# Made of /etc/config/lanpush at every start: changes belong there.'
	echo '[server]'
	lanpush_option server domain text
	lanpush_list server aliases
	lanpush_option server data text
	echo '[xmpp]'
	lanpush_option xmpp listen text
	lanpush_option xmpp registration text
	lanpush_option xmpp plaintext_login flag
	lanpush_option xmpp idle number
	lanpush_option xmpp settle number
	lanpush_option xmpp resume number
	echo '[http]'
	lanpush_option http listen text
	lanpush_list http trusted
	echo '[tls]'
	lanpush_option tls enabled flag
	lanpush_option tls listen text
	lanpush_option tls certificate text
	lanpush_option tls key text
	echo '[push]'
	lanpush_option push api_key text
	lanpush_option push from text
	lanpush_option push message_type text
	lanpush_option push queue number
	lanpush_option push history number
	lanpush_option push history_days number
	lanpush_option push history_bytes number
	echo '[roster]'
	lanpush_list roster shared
	echo '[storage]'
	lanpush_option storage cache number
	lanpush_option storage export_hours number
	lanpush_option storage durability text
	lanpush_option storage delay number
	lanpush_option storage write_budget number
	echo '[limits]'
	lanpush_option limits connections number
	echo '[log]'
	lanpush_option log level text
}
