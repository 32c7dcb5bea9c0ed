//! Lua as Argo CD runs it: version 5.1 with the base and table libraries, without `string` and `math`. `require("os")` returns
//! only the functions `date` and `time`.

use mlua::serde::{LuaSerdeExt, de, ser};
use mlua::{Function, Lua, LuaOptions, StdLib, Table};
use serde_json::Value;

/// The format letters that `os.date` knows in Argo CD.
const DATE_FLAGS: &str = "aAbBcdFHImMpPSxXyYzZw";

/// A script that works on `obj`.
pub(super) struct Script {
    lua: Lua,
    function: Function,
}

impl Script {
    pub(super) fn new(text: &str) -> Self {
        let libraries = StdLib::TABLE | StdLib::PACKAGE;
        let lua = Lua::new_with(libraries, LuaOptions::default()).unwrap();
        let os = lua.create_table().unwrap();
        os.set("date", lua.create_function(|_, format: String| Ok(date(&format))).unwrap()).unwrap();
        os.set("time", lua.create_function(|_, ()| Ok(jiff::Timestamp::now().as_second())).unwrap()).unwrap();
        let preload: Table = lua.globals().get::<Table>("package").unwrap().get("preload").unwrap();
        preload.set("os", lua.create_function(move |_, ()| Ok(os.clone())).unwrap()).unwrap();
        let function = lua.load(text).into_function().unwrap_or_else(|error| panic!("{error}\n{text}"));
        Self { lua, function }
    }

    /// What the script returns for an object.
    pub(super) fn run(&self, object: &Value) -> Value {
        let options = ser::Options::new()
            .set_array_metatable(false)
            .serialize_none_to_null(false)
            .serialize_unit_to_null(false);
        self.lua.globals().set("obj", self.lua.to_value_with(object, options).unwrap()).unwrap();
        let answer: mlua::Value = self.function.call(()).unwrap();
        // Lua has only one kind of table, and Argo CD reads an empty table as a list.
        let options = de::Options::new().encode_empty_tables_as_array(true);
        self.lua.from_value_with(answer, options).unwrap()
    }

    /// The merge patch from an object to the object that the script returns.
    pub(super) fn patch(&self, object: &Value) -> Value {
        difference(object, &self.run(object)).unwrap_or_default()
    }
}

fn date(format: &str) -> String {
    let format = format.strip_prefix('!').expect("UTC: the zone of Argo CD's pod is nobody's business");
    for flag in format.split('%').skip(1) {
        let known = flag.chars().next().is_some_and(|flag| DATE_FLAGS.contains(flag));
        assert!(known, "Argo CD's os.date does not know %{flag}");
    }
    jiff::Timestamp::now().strftime(&format.replace("%X", "%H:%M:%S")).to_string()
}

/// The merge patch from one to the other.
fn difference(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let missing = Value::Null;
            let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let changed = names.into_iter().filter_map(|name| {
                let (old, new) = (before.get(name).unwrap_or(&missing), after.get(name).unwrap_or(&missing));
                Some((name.clone(), difference(old, new)?))
            });
            let changed: serde_json::Map<String, Value> = changed.collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        (before, after) => (!same(before, after)).then(|| after.clone()),
    }
}

/// Whether the values are equal, except for what Lua loses because it has one kind of table and one kind of number. Argo CD
/// restores that from the former object.
fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Array(after)) => before.is_empty() && after.is_empty(),
        (Value::Object(_), Value::Object(_)) => difference(before, after).is_none(),
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same(before, after))
        }
        (Value::Number(before), Value::Number(after)) => before.as_f64() == after.as_f64(),
        (before, after) => before == after,
    }
}
