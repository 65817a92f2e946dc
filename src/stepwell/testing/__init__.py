"""Fakes and contract suites for those who write tests, engines, stores, sources and codecs.

memory.MemoryStore        a store without a disk
contracts.StoreContract   what every store must do, as a class to inherit from
"""
