#!/bin/sh
# Puts everything but the program where a router has it; for the feed's Makefile and for package.sh.
#
#   install.sh FILES ROOT
set -e

put() { # MODE FILE TO
	mkdir -p "$root$(dirname "$3")"
	cp "$files/$2" "$root$3"
	chmod "$1" "$root$3"
}

files=$1
root=$2
put 0755 lanpush.init /etc/init.d/lanpush
# What the settings hold, such as the key for old clients, is nobody else's business.
put 0600 lanpush.config /etc/config/lanpush
put 0644 translate.sh /usr/lib/lanpush/translate.sh
put 0644 notify.sh /usr/lib/lanpush/notify.sh
put 0644 dhcp.hotplug /etc/hotplug.d/dhcp/90-lanpush
put 0644 iface.hotplug /etc/hotplug.d/iface/90-lanpush
put 0644 keep /lib/upgrade/keep.d/lanpush
