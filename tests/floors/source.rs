//! Rust source as text: what of it is code, what is a string, which paths it names, how long its functions
//! are. It knows as much of the language as our own files use.

use std::collections::HashMap;

/// A source file without its comments and its tests.
pub(crate) struct Source {
    /// From the top of the checkout, as `src/push/event.rs`.
    pub(crate) path: String,
    /// The module it is, as `["crate", "push", "event"]`.
    pub(crate) module: Vec<String>,
    /// Lines outside `#[cfg(test)]`, comments included.
    pub(crate) lines: usize,
    /// String literals with their lines.
    pub(crate) strings: Vec<(usize, String)>,
    /// Modules it declares for tests only, each in a file of its own.
    pub(crate) test_modules: Vec<String>,
    tokens: Vec<Token>,
}

/// A path of two or more segments, or an import, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    /// From the root: `crate::…`, `std::…` or the name of a package. `*` stands for everything below.
    pub(crate) path: String,
    /// It stands in a `use`, where naming a module does not yet name what is in it.
    pub(crate) import: bool,
}

/// A function's name, its first line, and how many lines it has.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Word(String),
    Mark(char),
    Colons,
}

#[derive(Clone, Debug)]
struct Token {
    line: usize,
    kind: Kind,
}

impl Token {
    fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, mut strings) = blank(text);
        let mut tokens = tokens(&code);
        let mut tested_lines = 0;
        let mut test_modules = Vec::new();
        while let Some((from, to)) = test_item(&tokens) {
            let (first, last) = (tokens[from].line, tokens[to].line);
            tested_lines += last + 1 - first;
            strings.retain(|(line, _)| !(first..=last).contains(line));
            test_modules.extend(declared(&tokens[from..=to]));
            tokens.drain(from..=to);
        }
        Self {
            path: path.to_owned(),
            module: module(path),
            lines: text.lines().count() - tested_lines,
            strings,
            test_modules,
            tokens,
        }
    }

    /// Everything the file imports or names by a path.
    pub(crate) fn names(&self) -> Vec<Named> {
        let mut names = Vec::new();
        let mut known = HashMap::new();
        for child in self.tokens.windows(3).filter_map(|three| match three {
            [word, name, _] if word.word() == Some("mod") => name.word(),
            _ => None,
        }) {
            known.insert(
                child.to_owned(),
                [self.module.clone(), vec![child.to_owned()]].concat(),
            );
        }
        let mut rest = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            let import = token.word() == Some("use") && !self.tokens[at + 1].is('<');
            if !import {
                rest.push(token.clone());
                at += 1;
                continue;
            }
            at += 1;
            for (line, segments, name) in imports(&self.tokens, &mut at) {
                let path = self.absolute(segments, &known);
                names.push(Named {
                    line,
                    path: path.join("::"),
                    import: true,
                });
                known.insert(name, path);
            }
        }
        for (line, segments) in paths(&rest) {
            let path = self.absolute(segments, &known).join("::");
            names.push(Named {
                line,
                path,
                import: false,
            });
        }
        names
    }

    fn absolute(&self, segments: Vec<String>, known: &HashMap<String, Vec<String>>) -> Vec<String> {
        let Some((first, rest)) = segments.split_first() else {
            return segments;
        };
        let supers = segments
            .iter()
            .take_while(|segment| *segment == "super")
            .count();
        if supers > 0 {
            let above = self.module.len().saturating_sub(supers).max(1);
            return [&self.module[..above], &segments[supers..]].concat();
        }
        if first == "self" {
            return [&self.module[..], rest].concat();
        }
        match known.get(first) {
            Some(start) => [&start[..], rest].concat(),
            None => segments,
        }
    }

    /// Every function with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let starts = self.tokens.windows(2).enumerate().filter_map(|(at, two)| {
            let name = two[1].word().filter(|_| two[0].word() == Some("fn"))?;
            Some((at, name.to_owned()))
        });
        starts
            .filter_map(|(at, name)| {
                let end = end_of_item(&self.tokens, at);
                let line = self.tokens[at].line;
                let lines = self.tokens[end].line + 1 - line;
                self.tokens[end]
                    .is('}')
                    .then_some(Function { name, line, lines })
            })
            .collect()
    }
}

/// The text with comments and the insides of literals turned into blanks, and its string literals.
fn blank(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::new();
    let mut strings = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (length, content) = skipped(&chars, at);
        if length == 0 {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        if let Some(content) = content {
            strings.push((1 + code.matches('\n').count(), content));
        }
        code.extend(
            chars[at..at + length]
                .iter()
                .map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
        at += length;
    }
    (code, strings)
}

/// How many characters of comment or literal begin here, and what a string holds.
fn skipped(chars: &[char], at: usize) -> (usize, Option<String>) {
    let rest = &chars[at..];
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => (rest.iter().take_while(|c| **c != '\n').count(), None),
        ['/', '*', ..] => (block_comment(rest), None),
        ['"', ..] => {
            let length = quoted(rest, '"');
            (length, Some(rest[1..length - 1].iter().collect()))
        }
        ['\'', '\\', ..] => (quoted(rest, '\''), None),
        ['\'', _, '\'', ..] => (3, None),
        ['r', '"' | '#', ..] if !after_word => raw_string(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !after_word => raw_string(rest, 2),
        _ => (0, None),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[char], prefix: usize) -> (usize, Option<String>) {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let start = prefix + hashes + 1;
    if rest.get(start - 1) != Some(&'"') {
        // A raw identifier, as r#type.
        return (0, None);
    }
    let end = (start..rest.len()).find(|at| {
        rest[*at] == '"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    });
    let end = end.unwrap_or(rest.len());
    (
        (end + 1 + hashes).min(rest.len()),
        Some(rest[start..end].iter().collect()),
    )
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let line = index + 1;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let word = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (length, kind) = if word > 0 {
                (word, Some(Kind::Word(rest[..word].to_owned())))
            } else if rest.starts_with("::") {
                (2, Some(Kind::Colons))
            } else {
                (
                    first.len_utf8(),
                    (!first.is_whitespace()).then_some(Kind::Mark(first)),
                )
            };
            tokens.extend(kind.map(|kind| Token { line, kind }));
            rest = &rest[length..];
        }
    }
    tokens
}

/// First and last token of the first item that is for tests only, its attributes included.
fn test_item(tokens: &[Token]) -> Option<(usize, usize)> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let from = tokens.windows(attribute.len()).position(|window| {
        window
            .iter()
            .zip(attribute)
            .all(|(token, want)| match &token.kind {
                Kind::Word(word) => word == want,
                Kind::Mark(mark) => want.chars().eq([*mark]),
                Kind::Colons => false,
            })
    })?;
    Some((from, end_of_item(tokens, from)))
}

/// The last token of the item that begins here: the end of its body, or its semicolon.
fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']') => depth -= 1,
            Kind::Mark('}') => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            Kind::Mark(';') if depth == 0 => return at,
            _ => {}
        }
    }
    tokens.len() - 1
}

/// The module that an item declares in a file of its own: `mod NAME;`.
fn declared(item: &[Token]) -> Option<String> {
    match item {
        [.., word, name, end] if word.word() == Some("mod") && end.is(';') => {
            name.word().map(str::to_owned)
        }
        _ => None,
    }
}

/// A leaf of a `use`: its line, its segments, and what it is called in this file.
type Leaf = (usize, Vec<String>, String);

/// The leaves of one `use`, from behind the word to behind the semicolon.
fn imports(tokens: &[Token], at: &mut usize) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    branch(tokens, at, &[], &mut leaves);
    leaves
}

fn branch(tokens: &[Token], at: &mut usize, prefix: &[String], leaves: &mut Vec<Leaf>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    // Nothing stands between a trailing comma and its brace, and a group has leaves of its own.
    let mut leaf = false;
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match &token.kind {
            Kind::Word(word) if word == "as" => {
                name = tokens[*at].word().map(str::to_owned);
                *at += 1;
            }
            Kind::Word(word) => {
                leaf = true;
                if word != "self" || path.is_empty() {
                    path.push(word.clone());
                }
            }
            Kind::Mark('*') => {
                leaf = true;
                path.push("*".to_owned());
            }
            Kind::Mark('{') => {
                leaf = false;
                while !tokens[*at - 1].is('}') {
                    branch(tokens, at, &path, leaves);
                }
            }
            Kind::Mark(',' | '}' | ';') => {
                if leaf {
                    let last = path.last().cloned().unwrap_or_default();
                    leaves.push((token.line, path, name.unwrap_or(last)));
                }
                return;
            }
            Kind::Mark(_) | Kind::Colons => {}
        }
    }
}

/// Paths of two or more segments, with their lines.
fn paths(tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Some(first) = token.word() else {
            continue;
        };
        let mut segments = vec![first.to_owned()];
        while let [colons, next, ..] = &tokens[at..]
            && colons.kind == Kind::Colons
            && let Some(word) = next.word()
        {
            segments.push(word.to_owned());
            at += 2;
        }
        if segments.len() > 1 {
            paths.push((token.line, segments));
        }
    }
    paths
}

/// The module a file is: `src/xmpp/feature/mod.rs` is `crate::xmpp::feature`.
fn module(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let names = inside
        .split('/')
        .filter(|name| !["mod", "lib", "main"].contains(name));
    std::iter::once("crate")
        .chain(names)
        .map(str::to_owned)
        .collect()
}
