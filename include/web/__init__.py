"""HTTP as both clients need it: checked addresses, one transport, one retry policy, one pace."""
