//! The wanted state of each object, and whether it is reached.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kubernetes::Seen;

const NAMESPACES: usize = 10;
/// The beginning of all passwords.
pub(super) const PASSWORD: &str = "soaked-passphrase";

/// All objects. The name is the user ID.
pub(super) struct World {
    pub(super) objects: Vec<Wanted>,
}

pub(super) struct Wanted {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) exists: bool,
    /// Counts edits.
    pub(super) edit: u32,
    /// Counts rotations; `None`: the user has no password.
    pub(super) rotation: Option<u32>,
    pub(super) has_secret: bool,
    pub(super) suspended: bool,
}

impl Wanted {
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn access_string(&self) -> String {
        format!("on ~edit-{}:* -@all +@read", self.edit)
    }

    fn password(&self) -> Option<String> {
        self.rotation.map(|rotation| format!("{PASSWORD}-{}-{rotation}", self.name))
    }

    pub(super) fn manifest(&self) -> Value {
        let reference = json!({ "secretKeyRef": { "name": self.name, "key": "password" } });
        let authentication = match self.rotation {
            Some(_) => json!({ "type": "password", "passwords": [reference] }),
            None => json!({ "type": "iam" }),
        };
        json!({
            "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": {
                "engine": "valkey", "accessString": self.access_string(), "authentication": authentication,
                "tags": { "edit": self.edit.to_string() }, "suspend": self.suspended,
            },
        })
    }

    pub(super) fn secret(&self) -> Option<Value> {
        Some(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "stringData": { "password": self.password()? },
        }))
    }

    /// What is wrong with the object or its AWS user.
    fn wrong(&self, seen: Option<&Seen>, user: Option<&Value>) -> Option<String> {
        let shown = |seen: &Seen| format!("Ready {}, {}: {}", seen.ready, seen.reason, seen.message);
        let status = user.map(|user| user["Status"].as_str().unwrap_or_default());
        let state = || format!("AWS user {status:?}");
        match (self.exists, seen, user) {
            (false, None, None) => None,
            (true, Some(seen), Some(user)) if seen.ready => {
                let passwords = self.password().into_iter().collect::<Vec<_>>();
                let tags = &user["Tags"];
                let differs = [
                    ("access string", user["AccessString"] != self.access_string()),
                    ("passwords", self.rotation.is_some() && user["Passwords"] != json!(passwords)),
                    ("tag of the spec", tags["edit"] != json!(self.edit.to_string())),
                    ("owner tag", tags["elasticache-users.dev/name"] != self.name),
                    ("state", status != Some("active")),
                ];
                let differs: Vec<_> =
                    differs.iter().filter(|(_, differs)| *differs).map(|(what, _)| *what).collect();
                (!differs.is_empty()).then(|| format!("{}: Ready, but not the {differs:?}", self.key()))
            }
            (true, Some(seen), _) => Some(format!("{}: {}; {}", self.key(), shown(seen), state())),
            (true, None, _) => Some(format!("{}: the object is missing; {}", self.key(), state())),
            (false, Some(seen), _) => {
                Some(format!("{}: is still there, {}; {}", self.key(), shown(seen), state()))
            }
            (false, None, Some(_)) => Some(format!("{}: is gone without its user; {}", self.key(), state())),
        }
    }
}

impl World {
    pub(super) fn new(objects: usize, rng: &mut fastrand::Rng) -> Self {
        let wanted = |number| Wanted {
            namespace: format!("soak-{}", number % NAMESPACES),
            name: format!("user-{number}"),
            exists: true,
            edit: 0,
            rotation: rng.bool().then_some(0),
            has_secret: true,
            suspended: false,
        };
        Self { objects: (0..objects).map(wanted).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn namespaces(&self) -> Vec<Value> {
        let namespace = |number| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": format!("soak-{number}") } });
        (0..NAMESPACES).map(namespace).collect()
    }

    /// The Secrets that should be there, and the objects.
    pub(super) fn manifests(&self) -> Vec<Value> {
        let there = || self.objects.iter().filter(|wanted| wanted.exists);
        there().filter_map(Wanted::secret).chain(there().map(Wanted::manifest)).collect()
    }

    /// From now on no object is wanted. Returns the namespaces.
    pub(super) fn remove_all(&mut self) -> Vec<String> {
        self.objects.iter_mut().for_each(|wanted| wanted.exists = false);
        (0..NAMESPACES).map(|number| format!("soak-{number}")).collect()
    }

    /// What is wrong with the objects and with the users in AWS.
    pub(super) fn wrong(&self, seen: &BTreeMap<String, Seen>, users: &[Value]) -> Vec<String> {
        let mut users: BTreeMap<&str, &Value> =
            users.iter().map(|user| (user["UserId"].as_str().unwrap_or_default(), user)).collect();
        users.remove("default");
        let wrong =
            |wanted: &Wanted| wanted.wrong(seen.get(&wanted.key()), users.remove(wanted.name.as_str()));
        let mut all: Vec<String> = self.objects.iter().filter_map(wrong).collect();
        all.extend(users.keys().map(|id| format!("AWS user {id} belongs to nobody")));
        all
    }
}
