//! RFC 6120 §4: the stream parser.
