//! JSON text taken apart without changing it: what is not understood is written again as it was.

use secrecy::{ExposeSecret, SecretString};
use serde_json::value::RawValue;

/// A piece of valid JSON without space around it.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Checks a text. The error says where it stops being JSON.
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let valid: &RawValue = serde_json::from_str(text)?;
        Ok(Self(valid.get()))
    }

    pub(super) fn text(self) -> &'a str {
        self.0
    }

    pub(super) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The string it is; `None` if it is none, or one that is no Unicode text.
    pub(super) fn string(self) -> Option<String> {
        serde_json::from_str(self.0).ok()
    }

    /// The number it is; `None` if it is none, or one out of range.
    pub(super) fn number(self) -> Option<f64> {
        serde_json::from_str(self.0).ok()
    }

    /// The elements of a list; `None` if it is none.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        let inside = self.0.strip_prefix('[')?.strip_suffix(']')?;
        let parts = split(inside, b',');
        Some(parts.into_iter().map(|part| Raw(trim(part))).collect())
    }

    /// The names (quoted) and values of an object, in order; `None` if it is none.
    pub(super) fn members(self) -> Option<Vec<(&'a str, Self)>> {
        let inside = self.0.strip_prefix('{')?.strip_suffix('}')?;
        let parts = split(inside, b',').into_iter();
        parts
            .map(|part| match split(part, b':')[..] {
                [name, value] => Some((trim(name), Raw(trim(value)))),
                _ => None,
            })
            .collect()
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Splits what stands between brackets, where nothing inner is open.
fn split(inside: &str, at: u8) -> Vec<&str> {
    if trim(inside).is_empty() {
        return Vec::new();
    }
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in inside.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if byte == at && depth == 0 => {
                parts.push(&inside[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[begin..]);
    parts
}

/// A text as a JSON string, escaped as JavaScript does.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Valid JSON laid out as `JSON.stringify` does, with so many spaces a level; 0 leaves out all
/// space. Strings and numbers stay as they are written.
pub(super) fn layout(json: &str, indent: usize) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut quoted, mut escaped, mut opened) = (0_usize, false, false, false);
    let line = |out: &mut String, depth: usize| {
        if indent > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth * indent));
        }
    };
    for c in json.chars() {
        if quoted {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
            continue;
        }
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let closes = matches!(c, ']' | '}');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // What is empty stays on its line.
        if opened != closes {
            line(&mut out, depth);
        }
        opened = false;
        out.push(c);
        match c {
            '"' => quoted = true,
            '[' | '{' => {
                depth += 1;
                opened = true;
            }
            ',' => line(&mut out, depth),
            ':' if indent > 0 => out.push(' '),
            _ => {}
        }
    }
    out
}

/// The members of an object in order, each as it was written: they may be secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Vec<(Box<str>, SecretString)>);

impl Members {
    /// As JavaScript reads an object: of a name that comes twice the last value counts, in the
    /// first place.
    pub(super) fn read(raw: Raw<'_>) -> Option<Self> {
        let mut members = Self::default();
        for (name, value) in raw.members()? {
            let value = SecretString::from(value.text());
            match members.find(name) {
                Some(place) => members.0[place].1 = value,
                None => members.0.push((name.into(), value)),
            }
        }
        Some(members)
    }

    /// Where a (quoted) name stands.
    fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(it, _)| same_name(it, name))
    }

    pub(super) fn get(&self, name: &str) -> Option<Raw<'_>> {
        let place = self.find(&quote(name))?;
        Some(Raw(self.0[place].1.expose_secret()))
    }

    /// Replaces a value where it stands, or adds it after those of `order` that come before it.
    pub(super) fn set(&mut self, name: &str, value: String, order: &[&str]) {
        let value = SecretString::from(value);
        let quoted = quote(name);
        if let Some(place) = self.find(&quoted) {
            self.0[place].1 = value;
            return;
        }
        let before = order.iter().take_while(|it| **it != name);
        let place = before.filter_map(|it| self.find(&quote(it))).max();
        let place = place.map_or(0, |place| place + 1);
        self.0.insert(place, (quoted.into(), value));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(place) = self.find(&quote(name)) {
            self.0.remove(place);
        }
    }

    /// Whether there is a member of another name.
    pub(super) fn has_others(&self, than: &[&str]) -> bool {
        let known: Vec<_> = than
            .iter()
            .filter_map(|name| self.find(&quote(name)))
            .collect();
        self.0.len() > known.len()
    }

    /// Writes the object; `instead` may give a value other than the one that is kept.
    pub(super) fn write(&self, out: &mut String, instead: &[(&str, &str)]) {
        out.push('{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let other = instead
                .iter()
                .find(|(it, _)| self.find(&quote(it)) == Some(index));
            out.push_str(name);
            out.push(':');
            out.push_str(other.map_or_else(|| value.expose_secret(), |(_, value)| *value));
        }
        out.push('}');
    }
}

/// Whether two quoted names are the same, however they are escaped.
fn same_name(one: &str, other: &str) -> bool {
    let escaped = one.contains('\\') || other.contains('\\');
    let text = |name| Raw(name).string();
    one == other || (escaped && text(one).is_some() && text(one) == text(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_javascript_laid_out_stays_as_it_is() {
        let text = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1e+21,\n    -0,\n    \"\\ud800,]}\u{2028} \\\" \"\n  ],\n  \"d\": {\n    \"e\": null\n  }\n}";
        assert_eq!(layout(text, 2), text);
        let compact = layout(text, 0);
        assert_eq!(
            compact,
            "{\"a\":[],\"b\":{},\"c\":[1e+21,-0,\"\\ud800,]}\u{2028} \\\" \"],\"d\":{\"e\":null}}"
        );
        assert_eq!(layout(&compact, 2), text);
    }

    #[test]
    fn an_object_is_read_as_javascript_does_and_kept_as_it_was_written() {
        let text = r#"{"a": 1 , "\ud800":{"x":[1,{"y":"}"}]},"b":[ ],"\u0061":1.0}"#;
        let mut members = Members::read(Raw::parse(text).unwrap()).unwrap();
        assert_eq!(members.get("a").unwrap().text(), "1.0");
        let mut out = String::new();
        members.write(&mut out, &[("b", "2")]);
        assert_eq!(out, r#"{"a":1.0,"\ud800":{"x":[1,{"y":"}"}]},"b":2}"#);
        members.set("z", "3".into(), &["a", "z", "b"]);
        members.remove("b");
        out.clear();
        members.write(&mut out, &[]);
        assert_eq!(out, r#"{"a":1.0,"z":3,"\ud800":{"x":[1,{"y":"}"}]}}"#);
        assert!(members.has_others(&["a", "z"]));
        assert!(!format!("{members:?}").contains("1.0"));
    }

    #[test]
    fn strings_are_escaped_as_javascript_does() {
        let quoted = quote("\" \\ / \u{8}\u{c}\n\r\t \u{1}\u{1f} \u{7f} \u{2028} \u{1f600}");
        let expected = "\"\\\" \\\\ / \\b\\f\\n\\r\\t \\u0001\\u001f \u{7f} \u{2028} \u{1f600}\"";
        assert_eq!(quoted, expected);
    }
}
