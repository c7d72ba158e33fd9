//! Says where libloquor is. Looks at LOQUOR_LIB_DIR, then asks pkg-config; without both, the linker looks where it always does.
//! It never fails: documentation, `cargo check` and `cargo package` need no library.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LOQUOR_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rustc-link-lib=dylib=loquor");
    for folder in folders() {
        println!("cargo:rustc-link-search=native={folder}");
        // For this package's own tests and examples; cargo passes it on to no other, which see DEP_LOQUOR_LIB_DIR instead.
        if env::var("CARGO_CFG_UNIX").is_ok() {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        }
        println!("cargo:lib_dir={folder}");
    }
}

fn folders() -> Vec<String> {
    if let Ok(folder) = env::var("LOQUOR_LIB_DIR") {
        return vec![folder];
    }
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    match Command::new(pkg_config).args(["--libs-only-L", "loquor"]).output() {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout)
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("-L").map(String::from))
            .collect(),
        _ => Vec::new(),
    }
}
