//! The logger against a real standard error: a pipe somebody closes or forgets to read.
//!
//! Each case runs this very program again with one ignored test, which logs, and looks at how it ends.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use log::LevelFilter;

/// Starts one of the ignored tests below with a standard error of our choice.
fn logging_child(test: &str, stderr: impl Into<Stdio>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
}

/// Logs a line, waits until standard input ends, and logs another one.
#[test]
#[ignore = "run by the other tests of this file"]
fn child_that_logs_twice() {
    lanpush::edge::logging::init(LevelFilter::Info);
    log::info!(target: "lanpush::test", "first");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    log::info!(target: "lanpush::test", "second\nline");
    println!("still alive");
    // Before the test harness has its say.
    std::process::exit(0);
}

/// Logs until lines are lost, waits until standard input ends, and logs one more.
#[test]
#[ignore = "run by the other tests of this file"]
fn child_that_logs_a_lot() {
    lanpush::edge::logging::init(LevelFilter::Info);
    for number in 0..1000 {
        log::info!(target: "lanpush::test", "{number:04} {}", "x".repeat(1000));
    }
    println!("\nall written");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    log::info!(target: "lanpush::test", "last");
    std::process::exit(0);
}

#[test]
fn lines_as_they_come() {
    let mut child = logging_child("child_that_logs_twice", Stdio::piped());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    assert_eq!(first, "INFO  [lanpush::test] first\n");
    drop(child.stdin.take());
    let mut second = String::new();
    stderr.read_to_string(&mut second).unwrap();
    assert_eq!(second, "INFO  [lanpush::test] second\\nline\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_went_away_ends_nothing() {
    let mut child = logging_child("child_that_logs_twice", Stdio::piped());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    drop(stderr);
    drop(child.stdin.take());
    assert!(lines(&mut child).any(|line| line.ends_with("still alive")));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_sleeps_holds_up_nothing_and_is_told() {
    let mut child = logging_child("child_that_logs_a_lot", Stdio::piped());
    // A megabyte does not fit into a pipe: that this line comes means that nobody waited for us.
    assert!(lines(&mut child).any(|line| line.ends_with("all written")));
    let mut stderr = child.stderr.take().unwrap();
    let mut some = [0; 32 * 1024];
    stderr.read_exact(&mut some).unwrap();
    child.stdin.take().unwrap().flush().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let mut tail = rest.lines().rev();
    assert_eq!(tail.next(), Some("INFO  [lanpush::test] last"));
    let told = tail.next().unwrap();
    assert!(
        told.starts_with("WARN  [lanpush] ") && told.ends_with(" log lines lost, nobody read them"),
        "{told}"
    );
    let complete = String::from_utf8_lossy(&some).into_owned() + &rest;
    for line in complete.lines().filter(|line| line.contains("xxx")) {
        assert_eq!(
            line.len(),
            "INFO  [lanpush::test] 0000 ".len() + 1000,
            "torn: {line}"
        );
    }
}
