//! A port that no other process gets.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
};

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
};

/// A free port of the loopback interface, reserved by a socket that is bound but does not listen.
///
/// The kernel does not give this port to a process that asks for a free one. But a process of the same user that asks for this port
/// with SO_REUSEPORT may listen on it, as kube-apiserver does with `--permit-port-sharing`. So no other process can take the port
/// before kube-apiserver starts or while it restarts.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _reservation: OwnedFd,
}

impl Port {
    pub(crate) fn reserve() -> Result<Port> {
        let (number, reservation) = reserve().context("failed to reserve a loopback port")?;
        Ok(Port { number, _reservation: reservation })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

fn reserve() -> std::io::Result<(u16, OwnedFd)> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let address: SocketAddrAny = getsockname(&socket)?;
    let address = SocketAddrV4::try_from(address)?;
    Ok((address.port(), socket))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_reserved_port_is_given_to_nobody_else_and_refuses_connections() {
        let port = Port::reserve().unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.number());
        assert!(TcpListener::bind(address).is_err());
        assert!(std::net::TcpStream::connect(address).is_err());
        drop(port);
        assert!(TcpListener::bind(address).is_ok());
    }
}
