//! What `lanpush --help` says: one screen of 80 by 24.

pub(super) const TEXT: &str = "\
lanpush: a push service for one local network. Phones by XMPP, senders by HTTP.

lanpush [serve] | check    run the server | print the effective configuration
lanpush user add|passwd NAME [PASSWORD] | tag NAME [TAG...] | del NAME | list
lanpush topic add|del USER[/RESOURCE] TOPIC | list USER
lanpush token add [--uses N] [--days N] [--note TEXT] | del ID | list
lanpush send TO MESSAGE [FLAGS]   TO: NAME, NAME/RESOURCE, alias:NAME,
      topic:NAME, tag:'A & !B', '*' or everyone. MESSAGE: - reads stdin. FLAGS:
  --title TEXT --uri URI --image URI --action LABEL=URI --tag WORD --silent
  --priority 1..5 --sequence NAME --ttl SECONDS --at SECOND|'DATE TIME' (UTC)
  --wait[=SECONDS] --for sent|acknowledged|confirmed   code 1: did not get there
lanpush withdraw ID | export FILE | import FILE [--replace] | help | --version

Flags, before or after the command. They beat the file, it beats the defaults:
  --config FILE   read FILE; config/lanpush.toml explains every key
  --data DIR      where the data lies (./lanpush-data; root: /var/lib/lanpush)
  --domain NAME   the name phones know the server by (this machine's host name)
  --xmpp ADDR     where phones connect ([::]:5222), --xmpps with TLS ([::]:5223)
  --http ADDR     the page and the API ([::]:7070)
  --log LEVEL     error, warn, info or debug (info)

The commands from user to withdraw ask the server that runs on the same data.
Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_terminal() {
        assert!(TEXT.lines().count() < 24, "one line is the next prompt");
        for line in TEXT.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line, line.trim_end());
        }
    }
}
