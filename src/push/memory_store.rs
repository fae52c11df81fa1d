//! The store that forgets: tests run on it, and simulations damage it.
