"""How relevant are the answers on every judged set that is here, beside other libraries?"""
