//! What every TCP connection is set to, on both ends.

use std::io;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::limits::TCP_USER_TIMEOUT;

/// Small messages leave at once, and a vanished peer is noticed while data waits for it.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))
}
