# cmake -DIN=FILE -DOUT=HEADER -DNAME=kName -P embed.cmake: a text file as a
# string literal.
file(READ "${IN}" text)
file(WRITE "${OUT}.new"
  "inline constexpr char ${NAME}[] = R\"embedded(${text})embedded\";\n")
file(COPY_FILE "${OUT}.new" "${OUT}" ONLY_IF_DIFFERENT)
