"""Who a person is: one module per directory, all behind `contract`.

`embedded` keeps argon2id hashes in authgate's own store; later ones ask Supabase Auth or WorkOS.
Never here: sessions, consent or tokens of authgate (those belong to `steps`).
"""
