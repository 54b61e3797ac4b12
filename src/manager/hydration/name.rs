//! Names of data, with the type of what they stand for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The name of data, and its type. As a constant it makes a wrong type an error of the compiler.
pub struct DataName<T> {
    name: Cow<'static, str>,
    of: PhantomData<fn() -> T>,
}

impl<T> DataName<T> {
    /// A name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            of: PhantomData,
        }
    }

    /// The name alone.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl<T> Clone for DataName<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            of: PhantomData,
        }
    }
}

impl<T> fmt::Debug for DataName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

impl<T> From<&'static str> for DataName<T> {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl<T> From<String> for DataName<T> {
    fn from(name: String) -> Self {
        Self {
            name: Cow::Owned(name),
            of: PhantomData,
        }
    }
}

impl<T> From<&Self> for DataName<T> {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}
