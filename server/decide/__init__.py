"""Decisions: (state, command) to events or a rejection. Pure: no gRPC, no clock, no I/O."""
