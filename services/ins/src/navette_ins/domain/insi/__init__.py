"""INSi WS_INS1 (carte Vitale) and WS_INS2 (traits): what is asked, how it is written, what comes back.

Source: spec/ins.md §2 and §4.
"""
