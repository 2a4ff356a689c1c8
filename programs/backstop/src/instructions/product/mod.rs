//! Instructions of the product.

pub mod create_product;
pub mod retire_product;
pub mod set_condition;
pub mod set_product_state;
pub mod set_reading;
pub mod set_risk_rate;
pub mod sync_product;

pub use create_product::*;
pub use retire_product::*;
pub use set_condition::*;
pub use set_product_state::*;
pub use set_reading::*;
pub use set_risk_rate::*;
pub use sync_product::*;
