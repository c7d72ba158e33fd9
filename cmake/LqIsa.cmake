# One translation unit per instruction set: lib/kernels/isa_<name>.cpp. Each gets its flags and -O2 even in Debug, so
# that nothing in it is emitted as an out-of-line inline function of the wrong ISA.
set(LQ_ISAS avx512vnni avx512 avx2 scalar)
set(LQ_ISA_FLAGS_scalar "")
set(LQ_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
# gcc 12 calls the deliberately undefined operands in its own AVX-512 headers uninitialised (gcc bug 105593).
set(LQ_ISA_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized ${LQ_ISA_FLAGS_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd -mprefer-vector-width=512)
set(LQ_ISA_FLAGS_avx512vnni ${LQ_ISA_FLAGS_avx512} -mavx512vnni)

function(lq_add_isas)
  set(sources "")
  foreach(isa ${LQ_ISAS})
    set(file "${PROJECT_SOURCE_DIR}/lib/kernels/isa_${isa}.cpp")
    if(EXISTS "${file}")
      list(APPEND sources "${file}")
      set_source_files_properties("${file}" PROPERTIES COMPILE_OPTIONS "-O2;${LQ_ISA_FLAGS_${isa}}" SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
  add_library(lq_isa_objects OBJECT ${sources})
  target_link_libraries(lq_isa_objects PRIVATE lq_flags)
endfunction()
