//! Parses a page of /metrics.

use std::collections::{BTreeMap, BTreeSet};

/// One or more pages, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Page {
    families: BTreeMap<String, Family>,
    samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Family {
    type_: String,
    help: String,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Page {
    pub(crate) fn of(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                page.families.entry(name.to_owned()).or_default().help = help.to_owned();
            } else if let Some((name, type_)) =
                line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
            {
                page.families.entry(name.to_owned()).or_default().type_ = type_.to_owned();
            } else if !page.families.is_empty() {
                page.samples.extend(Sample::of(line));
            }
        }
        assert!(!page.samples.is_empty(), "this is no page of metrics:\n{text}");
        page
    }

    /// The value of the first sample that has these labels. It may have other labels too.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.samples.iter().find(has).map(|sample| sample.value)
    }

    /// The values of this label in the samples of this name.
    pub(crate) fn values_of(&self, name: &str, label: &str) -> Vec<String> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples.filter_map(|sample| sample.labels.get(label).cloned()).collect()
    }

    /// Every label with all its values.
    pub(crate) fn labels(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (label, value) in self.samples.iter().flat_map(|sample| &sample.labels) {
            found.entry(label.clone()).or_default().insert(value.clone());
        }
        found
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name || sample.name == format!("{name}_bucket"))
    }

    /// The table of the reference.
    pub(crate) fn table(&self) -> String {
        let mut table = "| metric | type | labels | what it is |\n|---|---|---|---|\n".to_owned();
        for (family, Family { type_, help }) in &self.families {
            let name = match type_.as_str() {
                "counter" => format!("{family}_total"),
                "info" => format!("{family}_info"),
                _ => family.clone(),
            };
            let samples = self.samples.iter().filter(|sample| sample.is_of(&name, type_));
            let labels: BTreeSet<&str> =
                samples.flat_map(|sample| sample.labels.keys()).map(String::as_str).collect();
            assert!(
                self.has(&name),
                "{name} has no series, so the reference would lack its labels: let the test make one"
            );
            assert!(help.ends_with('.') && help.len() > 10, "the help of {name} must be a sentence: {help}");
            let labels: Vec<String> =
                labels.into_iter().filter(|label| *label != "le").map(|label| format!("`{label}`")).collect();
            table.push_str(&format!("| `{name}` | {type_} | {} | {help} |\n", labels.join(", ")));
        }
        table
    }
}

impl Sample {
    fn of(line: &str) -> Option<Self> {
        if line.starts_with('#') || line.is_empty() {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let Some((name, rest)) = series.split_once('{') else {
            return Some(Self { name: series.to_owned(), labels: BTreeMap::new(), value });
        };
        let mut labels = BTreeMap::new();
        // No label value of the tests contains a quotation mark.
        for label in rest.trim_end_matches('}').split("\",") {
            let (label, value) = label.split_once("=\"")?;
            labels.insert(label.to_owned(), value.trim_end_matches('"').to_owned());
        }
        Some(Self { name: name.to_owned(), labels, value })
    }

    fn is_of(&self, name: &str, type_: &str) -> bool {
        self.name == name || type_ == "histogram" && self.name == format!("{name}_bucket")
    }
}
