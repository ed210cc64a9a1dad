//! What a pod is: pure types, each fact held once.
