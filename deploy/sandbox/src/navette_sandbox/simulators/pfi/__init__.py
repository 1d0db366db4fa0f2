"""A strict double of a hospital's *plateforme d'intermédiation* (PFI), or of a DRIMbox, over MLLP and TLS.

It takes ORU^R01 and MDM^T02/T10/T04 of the volet "Transmission de document(s) CDA-R2 en HL7v2" 2.1 and 2.0, refuses
what the volet refuses, keeps a register of documents, and sends business receipts (ZAM) to who is set to get them.
"""
