//! Access strings, and whether a user that has them can log in and run commands. The chart's admission policy is tested with the
//! same ones (`tests/chart/tests/it/warning.rs`).

pub(crate) struct Usefulness {
    pub(crate) text: &'static str,
    pub(crate) logs_in: bool,
    pub(crate) runs_commands: bool,
}

const fn row(text: &'static str, logs_in: bool, runs_commands: bool) -> Usefulness {
    Usefulness { text, logs_in, runs_commands }
}

pub(crate) const ROWS: &[Usefulness] = &[
    row("on ~* +@all", true, true),
    row("ON ~* ALLCOMMANDS", true, true),
    row("on ~app:* -@all +@read", true, true),
    row("on ~* +@all -@dangerous -flushall", true, true),
    row("on ~* +config|get", true, true),
    row("on ~* +config|get -config|set", true, true),
    row("on ~* -get +get", true, true),
    row("on ~* +get -get +get", true, true),
    row("on ~* +get -g", true, true),
    row("on ~* -@all +get -set -@write", true, true),
    row("on ~* (~b* +get)", true, true),
    row("on ~* (%R~b* -@all\n\t+get)\tsanitize-payload", true, true),
    row("on ~* (~b*) (~c* +@all -flushall) -@all", true, true),
    row("on (+get) clearselectors (+set)", true, true),
    row("off ~* on +get", true, true),
    row("on ~clearselectors (+get)", true, true),
    row("on ~a(b) +get", true, true),
    // It cannot log in.
    row("~* +@all", false, true),
    row("on ~* +@all off", false, true),
    row("on ~* +@all OFF\n", false, true),
    row("~on +on &on +@all", false, true),
    row("off (~b* +get)", false, true),
    // It may run no command.
    row("on ~*", true, false),
    row("on ~* +get +set -@all", true, false),
    row("on ~* +get\n+set\n-@all\n", true, false),
    row("on ~* +get nocommands", true, false),
    row("on ~* +get NoCommands", true, false),
    row("on ~* allcommands -@all", true, false),
    row("on ~* +get -get", true, false),
    row("on ~* +GET -get", true, false),
    row("on ~* +get +get -get", true, false),
    row("on ~* +config|get -config", true, false),
    row("on ~* +@read -get -@read", true, false),
    row("on ~* (~b*) clearselectors", true, false),
    row("on ~* (~b* +get -get) ()", true, false),
    row("on (+get) clearselectors", true, false),
    row("on (+get) (+set) clearselectors -@all (~x)", true, false),
    row("off", false, false),
    row("off -@all", false, false),
    row(" \n off ~* +get\n -@all off ", false, false),
    // Nobody says anything of a string that ElastiCache refuses, or that may have a meaning of which we do not know.
    row("on ~* frobnicate", true, true),
    row("frobnicate", true, true),
    row("~* ~a +get", true, true),
    row("allkeys %R~a", true, true),
    row("&* &news", true, true),
    row("off (~* ~a)", true, true),
    row("off (on +get)", true, true),
    row("off (~a))", true, true),
    row("off (~a (+get))", true, true),
    row("off (~a", true, true),
    row("off +", true, true),
    row("off %X~a", true, true),
];
