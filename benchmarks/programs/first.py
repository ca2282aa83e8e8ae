x = 1
print("first", x)  # @first
