//! The person on call: runs the commands of a runbook.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use regex::Regex;
use tempfile::TempDir;

use crate::book::markdown::Page;
use crate::fixture::{Fixture, until};
use crate::{control_plane, repository, rights};

/// The words that the pages have for what the reader knows. `app` is the object in every test, and `pw` its Secret.
fn words(fixture: &Fixture) -> [(&'static str, &str); 8] {
    [
        ("OPERATOR_NAMESPACE", rights::HOME),
        ("SERVICEACCOUNT", &fixture.ns),
        ("NAMESPACE", &fixture.ns),
        ("NAME", "app"),
        ("SECRET", "pw"),
        ("LEASE", "elasticache-user-operator"),
        ("POD", "operator"),
        ("ID", "app"),
    ]
}

/// The person on call, with the runbook of an alert.
pub(super) struct OnCall<'a> {
    fixture: &'a Fixture,
    page: Page,
    words: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl<'a> OnCall<'a> {
    pub(super) fn reads(alert: &str, fixture: &'a Fixture) -> Self {
        let page = Page::parse(&repository::read(&format!("docs/src/runbooks/{alert}.md")));
        let words = words(fixture).map(|(word, value)| (word, value.to_owned())).to_vec();
        let folder = tempfile::tempdir().unwrap();
        // There is no kubelet, so this kubectl has the log of the operator's process.
        let kubectl = control_plane::shared().bin_dir().join("kubectl");
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *' logs '*) exec cat \"$(dirname \"$0\")/log\" ;; *) exec {} \"$@\" ;; esac\n",
            kubectl.display()
        );
        let file = folder.path().join("kubectl");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        Self { fixture, page, words, folder }
    }

    /// The alert is about this object.
    pub(super) fn about(mut self, name: &str) -> Self {
        let of_object = |(word, _): &&mut (&str, String)| ["NAME", "ID"].contains(word);
        self.words.iter_mut().filter(of_object).for_each(|(_, known)| name.clone_into(known));
        self
    }

    /// The reader's ServiceAccount is this one of the fixture's namespace.
    pub(super) fn with_account(mut self, name: &str) -> Self {
        for (word, value) in [("OPERATOR_NAMESPACE", self.fixture.ns.as_str()), ("SERVICEACCOUNT", name)] {
            self.words
                .iter_mut()
                .filter(|(known, _)| *known == word)
                .for_each(|(_, known)| value.clone_into(known));
        }
        self
    }

    /// The commands in the blocks and in the text.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        for line in
            self.page.blocks.iter().filter(|(kind, _)| kind == "console").flat_map(|(_, text)| text.lines())
        {
            match commands.last_mut() {
                Some(last) if !["kubectl ", "aws "].iter().any(|program| line.starts_with(program)) => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => commands.push(line.to_owned()),
            }
        }
        let in_text = self.page.codes.iter().filter(|code| code.starts_with("kubectl "));
        commands.extend(in_text.cloned());
        commands
    }

    /// The only command of the page that contains this text, with the reader's names.
    fn command(&self, text: &str) -> String {
        let mut found = self.commands();
        found.retain(|command| command.contains(text));
        let [command] = found.as_slice() else { panic!("not one command with {text:?}: {found:?}") };
        self.words.iter().fold(command.clone(), |command, (word, value)| {
            Regex::new(&format!(r"\b{word}\b")).unwrap().replace_all(&command, value.as_str()).into_owned()
        })
    }

    /// Runs the command of the page that contains this text. Returns what it prints.
    pub(super) async fn sees(&self, text: &str) -> String {
        fs::write(self.folder.path().join("log"), self.fixture.logs()).unwrap();
        let command = self.command(text);
        let plane = control_plane::shared();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &command]).current_dir(self.folder.path());
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        shell.envs(plane.kubectl().get_envs().filter_map(|(name, value)| Some((name, value?))));
        let Output { stdout, stderr, .. } = control_plane::output(shell).await;
        let stderr = String::from_utf8_lossy(&stderr);
        // `kubectl auth can-i` warns about resources without a namespace.
        assert!(!stderr.to_lowercase().contains("error"), "{command}: {stderr}");
        String::from_utf8(stdout).unwrap()
    }

    /// The page names these words as code, and the command prints them.
    pub(super) async fn finds(&self, text: &str, quoted: &[&str]) {
        for word in quoted {
            assert!(self.page.codes.iter().any(|code| code == word), "the page does not quote {word:?}");
        }
        self.sees_words(text, quoted).await;
    }

    /// Runs the command until it prints these words: the log and the list of events may be a moment behind.
    pub(super) async fn sees_words(&self, text: &str, wanted: &[&str]) {
        until(&format!("{text:?} shows {wanted:?}"), async || {
            let seen = self.sees(text).await;
            if wanted.iter().all(|word| seen.contains(word)) { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}
