//! What `lanpush --help` says: one screen of 80 by 24.

pub(super) const TEXT: &str = "\
lanpush: a push service for one local network. Phones by XMPP, senders by HTTP.

lanpush [serve]                   run the server
lanpush check                     print the effective configuration or its error
lanpush user add NAME [PASSWORD]  make an account; asks if no PASSWORD is given
lanpush user passwd NAME [PASSWORD]
lanpush user del NAME             remove an account and what waits for it
lanpush user list
lanpush send TO MESSAGE [--title TEXT] [--uri URI]
      TO: NAME, alias:NAME, tag:NAME, '*' or everyone. MESSAGE: - reads stdin
lanpush export FILE | import FILE [--replace]   everything; or androidpn's users
lanpush help | --version

Flags, before or after the command. They beat the file, it beats the defaults:
  --config FILE   read FILE; config/lanpush.toml explains every key
  --data DIR      where the data lies (./lanpush-data; root: /var/lib/lanpush)
  --domain NAME   the name phones know the server by (this machine's host name)
  --xmpp ADDR     where phones connect ([::]:5222)
  --http ADDR     the page and the API ([::]:7070)
  --log LEVEL     error, warn, info or debug (info)

user and send ask the server that runs on the same data directory.
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
