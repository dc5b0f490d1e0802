//! Mails as their readers see them.

use std::path::Path;

use mail_parser::MessageParser;

/// A mail that arrived somewhere.
#[derive(Clone, Debug)]
pub struct ReceivedMail {
    /// The envelope's sender; of a file, the header's.
    pub from: String,
    /// The envelope's recipient; of a file, the header's.
    pub to: String,
    pub subject: String,
    /// The plain alternative, decoded.
    pub text: String,
    /// The HTML alternative, decoded.
    pub html: String,
    /// All of it, as it came.
    pub raw: String,
}

impl ReceivedMail {
    pub fn read(from: String, to: String, raw: String) -> Self {
        let mail = MessageParser::default().parse(raw.as_bytes()).expect("a mail");
        let subject = mail.subject().expect("a subject").to_owned();
        let text = mail.body_text(0).expect("text").replace("\r\n", "\n");
        let html = mail.body_html(0).expect("HTML").replace("\r\n", "\n");
        assert_eq!((mail.text_body_count(), mail.html_body_count(), mail.attachment_count()), (1, 1, 0), "{raw}");
        Self { from, to, subject, text, html, raw }
    }

    /// A header as it came, unfolded; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let head = self.raw.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let start = format!("{}:", name.to_lowercase());
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&start));
        line.and_then(|line| line.get(start.len()..)).unwrap_or_default().trim().to_owned()
    }
}

/// What a server without a mail server wrote into its data directory, oldest first.
pub fn test_mails(data_dir: &Path) -> Vec<ReceivedMail> {
    let Ok(folder) = std::fs::read_dir(data_dir.join("mail")) else { return Vec::new() };
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
    // The UUIDv7 at the end sorts by time, on whatever clock the test is.
    paths.sort_by_key(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        name.get(name.len() - 36..).map(str::to_owned)
    });
    paths.iter().map(|path| of_file(path)).collect()
}

fn of_file(path: &Path) -> ReceivedMail {
    let raw = std::fs::read_to_string(path).expect("a mail");
    let mail = MessageParser::default().parse(raw.as_bytes()).expect("a mail");
    let only = |address: Option<&mail_parser::Address>| {
        let first = address.and_then(|address| address.first()).and_then(|first| first.address());
        first.expect("an address").to_owned()
    };
    let (from, to) = (only(mail.from()), only(mail.to()));
    ReceivedMail::read(from, to, raw)
}

/// The token in the link that a mail has, once as text and in the HTML.
pub fn link_token(mail: &ReceivedMail) -> String {
    let after = mail.text.split("#token=").nth(1).unwrap_or_else(|| panic!("a link in {}", mail.text));
    let token: String = after.chars().take_while(|c| !c.is_whitespace()).collect();
    assert!(!token.is_empty() && mail.html.contains(&format!("#token={token}\"")), "the same link in {}", mail.html);
    token
}
