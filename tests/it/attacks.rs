//! What an attacker without rights could try: to stop the operator for everybody, or to make it do something forbidden. Every attack
//! is bounded and stays on loopback.

mod bodies;
mod http;
mod texts;
