//! The parameters of a call as they come over the wire: `name=value` pairs, lists numbered from 1
//! (`Passwords.member.1`, but `Tags.Tag.1.Key`: B03).

use std::collections::BTreeMap;

use crate::records::{REDIS, VALKEY};
use crate::refusal::{Refusal, invalid_value, required};

/// The decoded parameters by their flat names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads urlencoded text, such as a body or a query; more of it may be added to what is there.
    pub(crate) fn read(&mut self, encoded: &[u8]) {
        self.0.extend(form_urlencoded::parse(encoded).into_owned());
    }

    pub(crate) fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there and not be blank (B09).
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.trim().is_empty()).ok_or_else(|| required(name))
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(invalid_value(format!("The parameter {name} must be true or false."))),
        }
    }

    /// An engine in any case, in lower case (B25, B26).
    pub(crate) fn engine(&self) -> Result<Option<&'static str>, Refusal> {
        match self.get("Engine").map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some(REDIS) => Ok(Some(REDIS)),
            Some(VALKEY) => Ok(Some(VALKEY)),
            Some("") => Err(required("Engine")),
            Some(_) => Err(invalid_value("The parameter Engine must be redis or valkey.")),
        }
    }

    /// The values of `<list>.1`, `<list>.2`, .. in the order of their numbers.
    pub(crate) fn list(&self, list: &str) -> Vec<&str> {
        self.items(list).into_iter().filter_map(|number| self.get(&format!("{list}.{number}"))).collect()
    }

    /// The numbers `N` for which there is a `<list>.N` or a `<list>.N.<something>`, in order.
    pub(crate) fn items(&self, list: &str) -> Vec<u64> {
        let prefix = format!("{list}.");
        let mut numbers: Vec<u64> = self
            .0
            .range(prefix.clone()..)
            .map_while(|(name, _)| name.strip_prefix(prefix.as_str()))
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_parameters_are_read_in_the_order_of_their_numbers() {
        let mut params = Params::default();
        params.read(b"L.member.10=j&L.member.2=b&L.member.1=a+%2B&Other=x&Tags.Tag.2.Key=k&Tags.Tag.2.Value=&L.memberX=no");
        assert_eq!(params.list("L.member"), ["a +", "b", "j"]);
        assert_eq!(params.items("Tags.Tag"), [2]);
        assert_eq!(params.get("Tags.Tag.2.Value"), Some(""));
        assert!(params.list("None.member").is_empty());
    }
}
