//! The control API under `/_emulator/`: what tests and demonstrations do that AWS does not offer.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::api::{DEFAULT_ACCOUNT, DEFAULT_REGION};
use crate::clock::Millis;
use crate::control_records::{GroupChange, UserChange, group_to_json, user_to_json};
use crate::ids::is_account;
use crate::json::object;
use crate::region::{Place, Region};
use crate::state::State;

/// What comes before every path of the control API.
pub(crate) const PREFIX: &str = "/_emulator/";

/// A request to the control API.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// After [`PREFIX`].
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// An HTTP status, and JSON unless it is 204.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }

    fn nothing() -> Self {
        Self { status: 204, body: None }
    }

    pub(crate) fn error(status: u16, sentence: impl Into<String>) -> Self {
        Self { status, body: Some(json!({"Error": sentence.into()})) }
    }
}

/// Answers a request. Pure but for the state and the data file.
pub(crate) fn answer(state: &mut State, now: Millis, request: &Request<'_>) -> Reply {
    let place = match read_place(request.query) {
        Ok(place) => place,
        Err(sentence) => return Reply::error(400, sentence),
    };
    let reply = match request.path.split_once('/') {
        None => collection(state, now, &place, request),
        Some((collection, id)) => match percent_decode_str(id).decode_utf8() {
            Ok(id) if !id.is_empty() => one(state, now, &place, request, collection, &id.to_lowercase()),
            Ok(_) | Err(_) => Err(absent(request.path)),
        },
    };
    match (reply, state.save()) {
        (Err(reply), _) => reply,
        (Ok(_), Err(sentence)) => Reply::error(500, sentence),
        (Ok(reply), Ok(())) => reply,
    }
}

fn collection(state: &mut State, now: Millis, place: &Place, request: &Request<'_>) -> Result<Reply, Reply> {
    let bad = |sentence| Reply::error(400, sentence);
    match (request.path, request.method) {
        ("health", "GET") => Ok(Reply::ok(json!({"Status": "ok"}))),
        ("users", "GET") => {
            let region = &*state.region(place, now).0;
            Ok(Reply::ok(region.users().map(|user| user_to_json(region, user)).collect()))
        }
        ("groups", "GET") => {
            let region = &*state.region(place, now).0;
            Ok(Reply::ok(region.groups().map(|group| group_to_json(region, group)).collect()))
        }
        ("calls", "GET") => Ok(Reply::ok(state.calls.to_json())),
        ("calls", "DELETE") => {
            state.calls.reset();
            Ok(Reply::nothing())
        }
        ("faults", "GET") => Ok(Reply::ok(state.faults.to_json())),
        ("faults", "POST") => {
            state.faults.add(request.body).map(|id| Reply::ok(json!({"Id": id}))).map_err(bad)
        }
        ("faults", "DELETE") => {
            state.faults.clear();
            Ok(Reply::nothing())
        }
        ("settings", "GET") => Ok(Reply::ok(state.settings.to_json())),
        ("settings", "PUT") => {
            let settings =
                object(request.body).and_then(|changes| state.settings.with(&changes)).map_err(bad)?;
            if settings.rate != state.settings.rate {
                state.limiter.refill();
            }
            state.settings = settings;
            Ok(Reply::ok(state.settings.to_json()))
        }
        ("health" | "users" | "groups" | "calls" | "faults" | "settings", method) => {
            Err(no_method(method, request.path))
        }
        (path, _) => Err(absent(path)),
    }
}

fn one(
    state: &mut State,
    now: Millis,
    place: &Place,
    request: &Request<'_>,
    collection: &str,
    id: &str,
) -> Result<Reply, Reply> {
    let gone = |was_there: bool| if was_there { Ok(Reply::nothing()) } else { Err(absent(request.path)) };
    match (collection, request.method) {
        ("users", "PUT") => put_user(state.region(place, now).0, now, id, request.body),
        ("users", "DELETE") => gone(state.region(place, now).0.remove_user(id).is_some()),
        ("groups", "PUT") => put_group(state.region(place, now).0, now, id, request.body),
        ("groups", "DELETE") => gone(state.region(place, now).0.remove_group(id).is_some()),
        ("faults", "DELETE") => gone(state.faults.remove(id)),
        ("users" | "groups" | "faults", method) => Err(no_method(method, request.path)),
        _ => Err(absent(request.path)),
    }
}

fn put_user(region: &mut Region, now: Millis, id: &str, body: &[u8]) -> Result<Reply, Reply> {
    let change = object(body).and_then(|members| UserChange::read(&members));
    change.map_err(|sentence| Reply::error(400, sentence))?.apply(region, now, id);
    let user = region.user(id).ok_or_else(|| absent(id))?;
    Ok(Reply::ok(user_to_json(region, user)))
}

fn put_group(region: &mut Region, now: Millis, id: &str, body: &[u8]) -> Result<Reply, Reply> {
    let change = object(body).and_then(|members| GroupChange::read(&members));
    change.map_err(|sentence| Reply::error(400, sentence))?.apply(region, now, id);
    let group = region.group(id).ok_or_else(|| absent(id))?;
    Ok(Reply::ok(group_to_json(region, group)))
}

fn absent(path: &str) -> Reply {
    Reply::error(404, format!("there is no '{path}' here"))
}

fn no_method(method: &str, path: &str) -> Reply {
    Reply::error(405, format!("'{method}' cannot be done to '{path}'"))
}

/// `account` and `region` of a query.
fn read_place(query: &str) -> Result<Place, String> {
    let mut place = Place { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "account" if is_account(&value) => place.account = value.into_owned(),
            "account" => return Err(format!("'account' must be 12 digits, not '{value}'")),
            "region" if !value.is_empty() => place.region = value.into_owned(),
            "region" => return Err("'region' must not be empty".to_owned()),
            _ => return Err(format!("there is no query parameter '{name}'; there are account and region")),
        }
    }
    Ok(place)
}
