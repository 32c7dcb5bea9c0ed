//! Writing XML: elements, text that is escaped (B11), and the two envelopes of the Query protocol.

use crate::refusal::Refusal;

const NAMESPACE: &str = "http://elasticache.amazonaws.com/doc/2015-02-02/";

/// A growing piece of XML.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// `<name>text</name>`
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.element(name, |inner| inner.escaped(text));
    }

    /// An element that holds what `fill` writes; self-closed where that is nothing (B05).
    pub(crate) fn element(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend(["<", name, ">"]);
        let inside = self.0.len();
        fill(self);
        if self.0.len() == inside {
            self.0.truncate(start);
            self.0.extend(["<", name, "/>"]);
        } else {
            self.0.extend(["</", name, ">"]);
        }
    }

    /// `<name><member>..</member>..</name>`
    pub(crate) fn members<'a>(&mut self, name: &str, texts: impl IntoIterator<Item = &'a str>) {
        self.element(name, |inner| {
            for text in texts {
                inner.text("member", text);
            }
        });
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // A parser would turn these into a space or a line feed.
                '\t' => self.0.push_str("&#x9;"),
                '\n' => self.0.push_str("&#xA;"),
                '\r' => self.0.push_str("&#xD;"),
                // XML 1.0 has no way to write the others.
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(letter),
            }
        }
    }

    #[cfg(test)]
    fn into_string(self) -> String {
        self.0
    }
}

/// The whole answer to a call that went well: `result` sits directly in `<OpResult>` (B01).
pub(crate) fn response(action: &str, result: &Xml, request_id: &str) -> String {
    envelope(action, NAMESPACE, result, request_id)
}

/// The same for the one call of STS.
pub(crate) fn sts_response(action: &str, result: &Xml, request_id: &str) -> String {
    envelope(action, "https://sts.amazonaws.com/doc/2011-06-15/", result, request_id)
}

fn envelope(action: &str, namespace: &str, result: &Xml, request_id: &str) -> String {
    let result = match result.0.as_str() {
        "" => format!("<{action}Result/>"),
        inner => format!("<{action}Result>{inner}</{action}Result>"),
    };
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// An error answer (B08): the sender's fault below 500, the service's from there on.
pub(crate) fn error_response(refusal: &Refusal, request_id: &str) -> String {
    let mut error = Xml::default();
    error.element("Error", |xml| {
        xml.text("Type", if refusal.status < 500 { "Sender" } else { "Receiver" });
        xml.text("Code", &refusal.code);
        xml.text("Message", &refusal.message);
    });
    error.text("RequestId", request_id);
    format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{}</ErrorResponse>", error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_text_is_escaped_and_empty_elements_are_self_closed() {
        let mut xml = Xml::default();
        xml.text("A", "<a href=\"x\">&'\r\n\x01</a>");
        xml.members("Empty", []);
        xml.members("List", ["b", "c&d"]);
        assert_eq!(
            xml.into_string(),
            "<A>&lt;a href=&quot;x&quot;&gt;&amp;'&#xD;&#xA;\u{fffd}&lt;/a&gt;</A><Empty/>\
             <List><member>b</member><member>c&amp;d</member></List>"
        );
    }
}
