//! Counts the messages in the bytes of a connection.

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireProtocol {
    Mysql,
    Postgres,
}

/// Who sends the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// The codes of a first packet of PostgreSQL after which the client sends another first packet: it has
/// asked for TLS or for GSSAPI.
const REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

/// The messages of one direction of a connection.
#[derive(Debug)]
pub(crate) struct FrameCounter {
    protocol: WireProtocol,
    sender: Sender,
    /// Whether the first packet of PostgreSQL is still to come, which has another form.
    starting: bool,
    header: Vec<u8>,
    /// The bytes of the current message that are still to come.
    remaining: usize,
}

impl FrameCounter {
    pub(crate) fn new(protocol: WireProtocol, sender: Sender) -> FrameCounter {
        let starting = protocol == WireProtocol::Postgres;
        FrameCounter { protocol, sender, starting, header: Vec::new(), remaining: 0 }
    }

    /// Takes the next bytes and returns how many messages begin in them.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = self.remaining.min(rest.len());
            self.remaining -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let Some((first, others)) = rest.split_first() else { break };
            self.header.push(*first);
            rest = others;
            if let Some(remaining) = self.length() {
                self.header.clear();
                self.remaining = remaining;
                count += 1;
            }
        }
        count
    }

    /// The bytes that follow the header, if the header is complete.
    fn length(&mut self) -> Option<usize> {
        let number =
            |bytes: &[u8]| bytes.iter().fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
        let header = self.header.as_slice();
        match (self.protocol, self.sender, header) {
            (WireProtocol::Mysql, _, [a, b, c, _]) => Some(number(&[*c, *b, *a]) as usize),
            (WireProtocol::Postgres, Sender::Server, [b'N' | b'S']) if self.starting => {
                // The answer to a request for TLS is one byte.
                self.starting = false;
                Some(0)
            }
            (WireProtocol::Postgres, Sender::Client, [length @ .., _, _, _, _])
                if self.starting && length.len() == 4 =>
            {
                let code = number(header.get(4..).unwrap_or_default());
                self.starting = REQUESTS.contains(&code);
                Some((number(length) as usize).saturating_sub(8))
            }
            (WireProtocol::Postgres, sender, [_, length @ ..])
                if length.len() == 4 && !(self.starting && sender == Sender::Client) =>
            {
                self.starting = false;
                Some((number(length) as usize).saturating_sub(4))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_postgres_are_counted_from_the_first_packet_on() {
        let mut client = FrameCounter::new(WireProtocol::Postgres, Sender::Client);
        assert_eq!(client.feed(&[0, 0, 0, 8, 4, 210, 22, 47]), 1); // SSLRequest
        assert_eq!(client.feed(&[0, 0, 0, 10, 0, 3, 0, 0, b'a', 0]), 1); // StartupMessage
        assert_eq!(client.feed(b"Q\0\0\0\x06;\0Q\0"), 2 - 1);
        assert_eq!(client.feed(b"\0\0\x06;\0"), 1);
        let mut server = FrameCounter::new(WireProtocol::Postgres, Sender::Server);
        assert_eq!(server.feed(b"N"), 1);
        assert_eq!(server.feed(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"), 2);
    }

    #[test]
    fn the_packets_of_mysql_are_counted_across_reads() {
        let mut client = FrameCounter::new(WireProtocol::Mysql, Sender::Client);
        assert_eq!(client.feed(&[2, 0, 0]), 0);
        assert_eq!(client.feed(&[0, 3, b'x', 0, 0, 0, 1]), 2);
    }
}
