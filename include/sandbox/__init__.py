"""A local Iru tenant and a local ServiceNow instance, as two real HTTP servers on loopback."""
