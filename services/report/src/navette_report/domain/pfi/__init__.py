"""Reports handed to a hospital's *plateforme d'intermédiation* (PFI) or to a DRIMbox by HL7 v2.

Pure: who is sent what (`distribution`, `routing`), which indicators a message carries and whether the receiver
takes them (`indicators`), the bytes (`letter`, `writing`), and what comes back (`answers`, `receipts`).
"""
