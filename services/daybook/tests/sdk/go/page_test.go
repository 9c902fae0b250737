// What docs/alpaca-clients.md shows of the Go SDK: the passages between `docs:begin` and `docs:end` stand there as they are.

package daybook

import "testing"

// docs:begin connect
import (
	"context"
	"fmt"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"
)

var client = alpaca.NewClient(alpaca.ClientOpts{}) // reads the three variables

// docs:end connect

// docs:begin stream
// listen hands each update over until the context ends: those from now on, those since a time, or those after the id of the
// last update that was handled.
func listen(ctx context.Context, updates chan<- alpaca.TradeUpdate, from alpaca.StreamTradeUpdatesRequest) error {
	return client.StreamTradeUpdates(ctx, func(update alpaca.TradeUpdate) { updates <- update }, from)
}

// docs:end stream

func TestThePageForClientAuthors(t *testing.T) {
	order, err := firstOrder(t)
	check(t, err)
	last := told(t, order, "new", alpaca.StreamTradeUpdatesRequest{Since: order.CreatedAt.Add(-time.Microsecond)}, "accepted", "new")
	check(t, lookUpAndCancel(order))
	until(t, order.ID, "canceled")
	// docs:begin resume
	from := alpaca.StreamTradeUpdatesRequest{SinceID: last.EventID}
	// docs:end resume
	told(t, order, "canceled", from, "pending_cancel", "canceled")
}

func firstOrder(t *testing.T) (*alpaca.Order, error) {
	// docs:begin order
	price, qty := decimal.NewFromInt(100), decimal.NewFromInt(1)
	order, err := client.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: &qty, Side: alpaca.Buy, Type: alpaca.Limit, TimeInForce: alpaca.Day, LimitPrice: &price,
		ClientOrderID: fmt.Sprintf("first-order-%d", time.Now().UnixNano()),
	})
	if err != nil {
		return nil, err
	}
	// docs:end order
	t.Cleanup(func() { _ = client.CancelOrder(order.ID) })
	return until(t, order.ID, "new"), nil
}

func lookUpAndCancel(order *alpaca.Order) error {
	// docs:begin cancel
	found, err := client.GetOrderByClientOrderID(order.ClientOrderID)
	if err != nil {
		return err
	}
	return client.CancelOrder(found.ID)
	// docs:end cancel
}

// told listens up to an event of an order, and demands just these of it. An order in doubt is told of between the first two.
func told(t *testing.T, order *alpaca.Order, end string, from alpaca.StreamTradeUpdatesRequest, expected ...string) alpaca.TradeUpdate {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	// docs:begin listen
	updates, ended := make(chan alpaca.TradeUpdate, 1000), make(chan error, 1)
	go func() { ended <- listen(ctx, updates, from) }()
	// docs:end listen
	var heard []string
	for {
		select {
		case update := <-updates:
			if update.Order.ID != order.ID || update.Event == "pending_new" {
				continue
			}
			heard = append(heard, update.Event)
			if update.Event != end {
				continue
			}
			if fmt.Sprint(heard) != fmt.Sprint(expected) {
				t.Fatalf("told of %v", heard)
			}
			return update
		case err := <-ended:
			t.Fatalf("heard %v, then %v", heard, err)
		}
	}
}
