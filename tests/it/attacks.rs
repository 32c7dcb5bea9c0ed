//! What somebody without rights could try: to stop the operator for everybody, or to make it do what it must not.
//! Every attack is bounded and stays on loopback.

mod bodies;
mod http;
mod texts;
