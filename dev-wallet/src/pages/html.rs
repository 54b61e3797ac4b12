//! The frame of every page.

/// What makes pages look decent.
const STYLE: &str = "\
:root{color-scheme:light dark;--line:#c8ccd4;--soft:#f4f5f8;--strong:#1c4fd8;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--line:#444a57;--soft:#1f232b;--strong:#8ab0ff;--bad:#ff9a92}}\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
header{color:GrayText;font-size:.9rem;border-bottom:1px solid var(--line);padding-bottom:.5rem}\
h1{font-size:1.5rem;margin:1.5rem 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{color:GrayText}\
dd{margin:0;overflow-wrap:anywhere}\
pre{background:var(--soft);border:1px solid var(--line);border-radius:.5rem;padding:.75rem;\
max-height:20rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}\
label{display:block;margin:.75rem 0 .25rem;font-weight:600}\
input,select{font:inherit;width:100%;padding:.5rem .6rem;border:1px solid var(--line);\
border-radius:.5rem;background:Field;color:FieldText}\
.hint{color:GrayText;font-size:.9rem;margin:.25rem 0}\
.actions{display:flex;gap:.75rem;margin-top:1.25rem;flex-wrap:wrap}\
button{font:inherit;font-weight:600;padding:.55rem 1.2rem;border-radius:.5rem;cursor:pointer;\
border:1px solid var(--line);background:transparent;color:inherit}\
button.main{background:#1c4fd8;border-color:#1c4fd8;color:#fff}\
button:focus-visible,input:focus-visible,select:focus-visible{outline:3px solid var(--strong);outline-offset:2px}\
.error{border-left:4px solid var(--bad);background:var(--soft);padding:.6rem .9rem;color:var(--bad)}\
.done{border-left:4px solid #1a7f45;background:var(--soft);padding:.6rem .9rem}\
details{margin-top:2rem}summary{cursor:pointer}form.inline{display:inline}li{margin:.25rem 0;overflow-wrap:anywhere}";

/// A whole page. `body` is HTML.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · development wallet</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>moorline development wallet</header>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n\
         </body>\n</html>\n"
    )
}

/// Text, for a place in HTML (attributes included).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text, for a string in a script: safe within `<script>`.
pub(super) fn script_string(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}
