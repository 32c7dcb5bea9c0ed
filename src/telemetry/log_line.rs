//! I/O: writes the log lines of passes.

use plan::pass::{LogLevel, LogLine};

/// `object` is `namespace/name`. The line also gets the request ID of the AWS call that `step` names, or of the pass's
/// last one.
pub fn write_log_line(object: &str, line: &LogLine) {
    let LogLine { level, step, user_id, event, reason, code, message } = line;
    let request_id = aws::last_request_id(step);
    match level {
        LogLevel::Debug => tracing::debug!(object, user_id, step, event, reason, code, "{message}"),
        LogLevel::Info => tracing::info!(object, user_id, step, event, reason, code, request_id, "{message}"),
        LogLevel::Warn => tracing::warn!(object, user_id, step, event, reason, code, request_id, "{message}"),
    }
}
