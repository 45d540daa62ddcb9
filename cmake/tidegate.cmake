# tidegate_library(NAME SRCS … [HDRS …] [DEPS …] [PRIVATE_DEPS …])
# tidegate_binary (NAME SRCS … [DEPS …])
# tidegate_test   (NAME SRCS … [DEPS …] [PURE] [TIMEOUT seconds])
#
# tidegate_embed(VAR FILE NAME): the header with the text of FILE as the string
#   NAME; what uses it lists ${VAR} among its sources.
#
# Includes are written from the top of the tree ("views/plan/plan.h"). PURE
# labels a test whose targets link neither gRPC nor RocksDB: ThreadSanitizer
# runs those.
add_library(tidegate_options INTERFACE)
target_include_directories(tidegate_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_features(tidegate_options INTERFACE cxx_std_20)
# Whoever brings the tree along has warnings of their own.
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(
    tidegate_options
    INTERFACE -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual
              -Wno-missing-field-initializers -fno-omit-frame-pointer
              # g++ 12 reports it for std::string's own operator+ (GCC 105329).
              $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
endif()
if(TIDEGATE_SANITIZER STREQUAL "address")
  set(TIDEGATE_SANITIZE -fsanitize=address,undefined
                        -fno-sanitize-recover=undefined)
elseif(TIDEGATE_SANITIZER STREQUAL "fuzzer")  # clang's; tests/fuzz links it
  set(TIDEGATE_SANITIZE -fsanitize=fuzzer-no-link,address,undefined
                        -fno-sanitize-recover=undefined)
elseif(TIDEGATE_SANITIZER STREQUAL "thread")
  set(TIDEGATE_SANITIZE -fsanitize=thread)
endif()
if(TIDEGATE_SANITIZE)
  # In instrumented code g++ 12 takes the members of a std::variant that is
  # empty for uninitialized.
  target_compile_options(
    tidegate_options
    INTERFACE ${TIDEGATE_SANITIZE}
              $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(tidegate_options INTERFACE ${TIDEGATE_SANITIZE})
endif()

function(tidegate_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS} ${ARG_HDRS})
  target_link_libraries(${name} PUBLIC tidegate_options ${ARG_DEPS}
                                PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

function(tidegate_binary name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE tidegate_options ${ARG_DEPS})
  if(JEMALLOC_LIBRARY)
    target_link_libraries(${name} PRIVATE -Wl,--no-as-needed
                                          ${JEMALLOC_LIBRARY} -Wl,--as-needed)
  endif()
endfunction()

function(tidegate_embed variable file name)
  get_filename_component(stem ${file} NAME)
  string(REPLACE "." "_" stem ${stem})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR
             BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE here)
  get_filename_component(folder ${file} DIRECTORY)
  set(header ${CMAKE_BINARY_DIR}/generated/${here}/${folder}/${stem}_text.h)
  cmake_path(NORMAL_PATH header)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/${file}
            -DOUT=${header} -DNAME=${name} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  set(${variable} ${header} PARENT_SCOPE)
endfunction()

function(tidegate_test name)
  if(NOT TIDEGATE_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "PURE" "TIMEOUT" "SRCS;DEPS" ${ARGN})
  if(TIDEGATE_PURE_ONLY AND NOT ARG_PURE)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE tidegate_options ${ARG_DEPS}
                                        GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_PURE)
    set_tests_properties(${name} PROPERTIES LABELS pure)
  endif()
endfunction()
