# Stands for OpenWrt's /lib/functions.sh: reads /etc/config as uci does, as far as quotes and comments go.
# shellcheck shell=sh disable=SC3043,SC2034

config_load() {
	local line kind name rest
	[ -f "/etc/config/$1" ] || return 1
	# Each option becomes a line SECTION OPTION VALUE; items of a list are several such lines.
	UCI=$(awk '
		function value(text) {
			sub(/^[ \t]+/, "", text)
			quote = substr(text, 1, 1)
			if (quote == "\047" || quote == "\"") {
				text = substr(text, 2)
				text = substr(text, 1, length(text) - 1)
			}
			return text
		}
		{ sub(/^[ \t]+/, "") }
		/^config / { section = $3; gsub(/[\047"]/, "", section) }
		/^(option|list) / {
			name = $2
			text = $0
			sub(/^(option|list)[ \t]+[^ \t]+[ \t]+/, "", text)
			print section, name, value(text)
		}' "/etc/config/$1")
}

config_get() { # VARIABLE SECTION OPTION [DEFAULT]
	local found
	found=$(echo "$UCI" | sed -n "s/^$2 $3 //p" | head -n 1)
	eval "$1=\${found:-\$4}"
}

config_get_bool() { # VARIABLE SECTION OPTION [DEFAULT]
	local text
	config_get text "$2" "$3" "$4"
	case $text in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	*) eval "$1=0" ;;
	esac
}

config_list_foreach() { # SECTION OPTION FUNCTION
	local items item IFS='
'
	items=$(echo "$UCI" | sed -n "s/^$1 $2 //p")
	for item in $items; do
		"$3" "$item"
	done
}

# A busybox that prefers its own commands has to be told so.
logger() { echo "$*" >>/tmp/log; }
sleep() { :; }

default_postinst() { /etc/init.d/lanpush enable && /etc/init.d/lanpush start; }
default_prerm() { /etc/init.d/lanpush disable; }
