# Debian 12's packages. The pure targets need absl alone.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What one checkout has compiled serves the next, wherever it stands.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(protobuf REQUIRED IMPORTED_TARGET protobuf)
find_program(PROTOC_PROGRAM protoc REQUIRED)
if(NOT TIDEGATE_PURE_ONLY)
  pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++)
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
endif()
if(TIDEGATE_CLIENT_ONLY)
  return()
endif()

pkg_check_modules(simdjson REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)

if(NOT TIDEGATE_PURE_ONLY)
  pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl)
  find_package(prometheus-cpp CONFIG REQUIRED)
  # RocksDBConfig.cmake asks for development files of every compressor the
  # library was built with; the shared library alone is enough.
  find_path(ROCKSDB_INCLUDE_DIR rocksdb/db.h REQUIRED)
  find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
  add_library(tidegate_rocksdb INTERFACE)
  target_include_directories(tidegate_rocksdb SYSTEM
                             INTERFACE ${ROCKSDB_INCLUDE_DIR})
  target_link_libraries(tidegate_rocksdb INTERFACE ${ROCKSDB_LIBRARY})
  find_library(CIVETWEB_CPP_LIBRARY civetweb-cpp REQUIRED)
  find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
  add_library(tidegate_civetweb INTERFACE)
  target_link_libraries(tidegate_civetweb INTERFACE ${CIVETWEB_CPP_LIBRARY}
                                                    ${CIVETWEB_LIBRARY})
  find_library(GRPCPP_REFLECTION_LIBRARY grpc++_reflection REQUIRED)
endif()

if(TIDEGATE_JEMALLOC AND NOT TIDEGATE_SANITIZER)
  find_library(JEMALLOC_LIBRARY jemalloc REQUIRED)
endif()
