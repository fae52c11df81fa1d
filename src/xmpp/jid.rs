//! RFC 7622: addresses.
