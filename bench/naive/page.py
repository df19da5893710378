"""placeholder"""
def rendered(found,frame): return ""
