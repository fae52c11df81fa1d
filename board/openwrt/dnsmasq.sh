#!/bin/sh
# On the router, once: lets apps find lanpush by the name push.lan, or the one that is given.
#
#   sh dnsmasq.sh [NAME [ADDRESS]]      the address is the router's own without one
#
# dnsmasq then answers for the name (A), and for the services of that domain (SRV, RFC 6120 §3.2.1 and XEP-0368).
set -e

name=${1:-push.lan}
address=${2:-$(uci get network.lan.ipaddr)}
# Some releases write the network's length behind it.
address=${address%%/*}

# Running it again replaces what it made before.
for record in domain client direct; do
	uci -q delete "dhcp.lanpush_$record" || true
done

uci set dhcp.lanpush_domain=domain
uci set dhcp.lanpush_domain.name="$name"
uci set dhcp.lanpush_domain.ip="$address"

srv() { # SECTION SERVICE PORT
	uci set "dhcp.$1=srvhost"
	uci set "dhcp.$1.srv=$2._tcp.$name"
	uci set "dhcp.$1.target=$name"
	uci set "dhcp.$1.port=$3"
	uci set "dhcp.$1.class=0"
	uci set "dhcp.$1.weight=0"
}
srv lanpush_client _xmpp-client 5222
srv lanpush_direct _xmpps-client 5223

uci commit dhcp
/etc/init.d/dnsmasq restart
